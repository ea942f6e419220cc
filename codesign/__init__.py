"""The search: networks, accuracy, compression, spaces, controllers, explorer, report, command line."""
