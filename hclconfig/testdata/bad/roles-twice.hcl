consul {}
roles = ["fetch", "fetch"]
