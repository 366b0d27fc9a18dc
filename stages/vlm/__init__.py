"""Vision-language models: one adapter per family, and concept embeddings over any of them."""
