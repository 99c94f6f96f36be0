"""Ray wrappers around ktray objects. Read `runtime` (starts Ray), then `pipeline`."""
