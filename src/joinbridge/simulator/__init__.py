"""An estate of homes with ground truth: devices, hubs, DSP and Suppliers that know nothing of joinbridge's opinions."""
