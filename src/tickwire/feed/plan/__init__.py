"""From a configuration and the declarations of venues to what a feed must build."""
