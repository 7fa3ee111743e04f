"""Reading data: files, tables, data sets of others, splits and batches.

Read in this order:
    text_files, tables, zipped: lines and rows; errors name file and line.
    splits: names of splits; held-out data by a hash of the input.
    names: of the same thing in a table and on a disk.
    skipped: counts of what a loader left out, with reasons and places.
    tfds_loader: data sets of tensorflow-datasets, or an error within seconds.
    batching: batches of similar length, in few fixed shapes.
    feature_files, feature_arrays, feature_store: features of pictures in one
        file, of a video in another, of many videos in a folder.
    feature_cache: where features are kept; their stamps and signatures.
"""
