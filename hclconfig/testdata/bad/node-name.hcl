consul {}
node_name = "rack 1/lb"
