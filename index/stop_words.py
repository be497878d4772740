"""English words that say nothing about a question's subject; cut from questions, never from documents.

The Snowball project's English list, without its contractions, whose parts (`don`, `t`) stand here instead, because
words are cut at apostrophes.
"""

WORDS = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
its itself they them their theirs themselves what which who whom whose this that these those am is are was were be
been being have has had having do does did doing will would shall should can could may might must ought a an the
and but if or because as until while of at by for with about against between into through during before after
above below to from up down in out on off over under again further then once here there when where why how all any
both each few more most other some such no nor not only own same so than too very
s t d m ll ve re don didn doesn isn aren wasn weren hasn haven hadn won wouldn shan shouldn couldn mustn
"""

ENGLISH = frozenset(WORDS.split())
