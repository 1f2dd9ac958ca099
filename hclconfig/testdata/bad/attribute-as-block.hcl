consul {}
roles {}
