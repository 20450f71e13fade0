"""Loading a base model and putting an adapter on it."""
