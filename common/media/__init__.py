"""Pictures and videos as pixels.

Read in this order:
    videos: frames of a video at a rate, in constant memory.
    pyav, timestamps: video files, by PyAV, and when frames are shown.
    frame_folders: folders with a picture for each frame.
    streams: cameras, addresses and pipes, frame by frame.
"""
