"""How good are the answers, and how sure is that? Datasets in, measures with intervals out.

`datasets.read_dataset` reads questions and judgements, `cache.cached_collection` ingests their corpus once,
`run.evaluate` asks every question, `result.write` keeps what came out.
"""
