"""Segments, subtitles, timelines and live lines of tagged videos: a leaf."""
