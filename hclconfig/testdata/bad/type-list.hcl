consul {}
roles = "fetch"
trusted_folders = ["/srv", 5]
