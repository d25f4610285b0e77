"""Fakes of GitHub, a model server and a frontend, with the real protocols, for this machine."""
