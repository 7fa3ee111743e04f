"""From scores of the next id to sequences, batched and inside the graph.

Read in this order:
    sampling: greedy decoding and sampling; limits that both searches share.
    beam_search: the best few hypotheses, with length and coverage penalty.
"""
