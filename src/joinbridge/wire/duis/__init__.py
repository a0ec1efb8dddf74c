"""DUIS, the XML interface of the DSP: `messages` holds the values, `parse` reads them, `write` makes them."""
