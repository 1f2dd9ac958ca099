consul {}
data_dir = null
