"""Queueing theory and a simulator, to predict a run by; never imports the server it predicts."""
