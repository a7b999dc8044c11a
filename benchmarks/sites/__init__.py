"""What is measured: the package in a project, the floor, the Channels tutorial, the peer."""
