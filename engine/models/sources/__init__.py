"""Where models come from: the Hugging Face Hub, ModelScope, and what lies here of either."""
