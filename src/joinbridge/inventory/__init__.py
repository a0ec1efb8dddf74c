"""The Smart Metering Inventory's join relation: in memory, or in any SQL database that SQLAlchemy reaches."""
