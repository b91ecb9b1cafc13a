//! The allow-lists: functions, operators, settings and catalog columns that are known to be
//! harmless, one a line with its reason, from the data files beside this module.
