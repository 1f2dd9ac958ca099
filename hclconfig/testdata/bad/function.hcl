consul {}
data_dir = lower("/SRV")
