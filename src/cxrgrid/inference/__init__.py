"""A finished cell asked again: logits, Grad-CAM, occlusion, embeddings, the pointing game.

Numbers computed from its predictions belong in `evaluation`.
"""
