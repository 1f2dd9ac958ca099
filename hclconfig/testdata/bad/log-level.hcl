consul {}
log_level = "warning"
