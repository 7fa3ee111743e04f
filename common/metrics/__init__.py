"""The metrics that the field reports, each with its reference.

classification: F1, ROC-AUC, calibration, confusion matrix.
segments: one tag a frame: frame accuracy, edit score, F1 of segments.
tag_sets: a set of tags a frame: likelihood, average precision, F1.
captions, caption_tokens: BLEU, ROUGE-L and CIDEr-D, as COCO scores captions.
"""
