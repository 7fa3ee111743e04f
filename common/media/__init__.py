"""Pictures and videos as pixels, and their features.

Read in this order:
    images: pictures of any format as pixels, in the graph.
    bitmaps, gifs, orientation: what TensorFlow's decoders leave out.
    folders: what is inside, in place of a folder.
    file_kinds: what a file is, by its first bytes.
    videos: a video in clips, whatever it is made of; in constant memory.
    frame_folders: folders with a picture for each frame.
    pyav, timestamps: video files, by PyAV, and when frames are shown.
    streams: cameras, addresses and pipes, frame by frame.
    extraction: features of pictures and videos, computed once.
"""
