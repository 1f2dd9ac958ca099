consul {}
roles = []
