consul {}
roles = ["fetch", "fetch", "delivr"]
