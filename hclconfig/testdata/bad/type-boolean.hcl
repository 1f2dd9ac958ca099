consul {}
log_json = "yes"
