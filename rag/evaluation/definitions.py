"""What each measure is, in a sentence, for people who read a report; docs/evaluation.md has the same table."""

from __future__ import annotations

from collections.abc import Mapping

DEFINITIONS: Mapping[str, str] = {
    "nDCG@10": (
        "discounted cumulative gain of the first 10 documents over the best possible (Järvelin and Kekäläinen, 2002)"
    ),
    "R@10": "share of the relevant documents among the first 10",
    "R@20": "share of the relevant documents among the first 20",
    "R@100": "share of the relevant documents among the first 100",
    "RR@10": "1 over the place of the first relevant document, 0 beyond 10",
    "P@1": "whether the first document is relevant",
    "Success@1": "whether a relevant document is the first",
    "Success@5": "whether a relevant document is among the first 5",
    "Success@10": "whether a relevant document is among the first 10",
    "Answer@1": "whether the first passage holds an answer as whole words, or overlaps an answer span",
    "Answer@5": "whether one of the first 5 passages holds an answer",
    "Answer@20": "whether one of the first 20 passages holds an answer",
    "Answer@50": "whether one of the first 50 passages holds an answer",
    "Passage nDCG@10": (
        "discounted cumulative gain of those of the first 10 passages that hold an answer, over that of the best order "
        "of all passages found that do"
    ),
    "Passage RR@10": "1 over the place of the first passage that holds an answer, 0 beyond 10",
    "Answer in highlights@3": (
        "whether a sentence highlight of the first 3 passages of the answer holds one; a declined question has none"
    ),
    "Answer in highlights@5": "the same of the first 5 passages",
    "Passage token IoU@5": (
        "words in both the first 5 passages and the answer spans, over words in either (after Smith and "
        "Troynikov, 2024)"
    ),
    "Passage token precision@5": (
        "words in both the first 5 passages and the answer spans, over those of the passages: how much of "
        "what is shown is needed"
    ),
    "Passage token recall@5": "the same words, over those of the answer spans: how much of what is needed is shown",
    "Highlight token IoU@3": (
        "words in both the sentence highlights of the first 3 passages of the answer and the answer spans, "
        "over words in either"
    ),
    "Exact match": "whether the predicted answer is a right one, after SQuAD's normalisation (Rajpurkar et al., 2016)",
    "Token F1": "F1 of the words of the predicted answer and a right one, the best over the right answers",
    "Citations exact": "share of the citations whose quote is the stored text at its offsets, under its digest",
    "Declined, answerable": "share of the answerable questions that were declined: less is better",
    "Declined, unanswerable": "share of the unanswerable questions that were declined: more is better",
    "Declined, near miss": (
        "the same of those whose `type` is another than `off_topic`: their subject is there, the answer is not"
    ),
    "Declined, off topic": "the same of those whose `type` is `off_topic`: the documents lack the subject",
    "Absent, answerable": (
        "share of the answerable questions of which it was said that the documents lack the subject: less is better"
    ),
    "Absent, off topic": "the same of the questions whose `type` is `off_topic`: more is better",
    "Right@1": (
        "whether the first passage shown overlaps a supporting span; what came nearest counts as shown where an "
        "answerable question was declined"
    ),
    "Right@3": "whether one of the first 3 passages shown does",
    "Lit@3": "whether a sentence or an answer that is highlighted in the first 3 passages shown does",
    "Quote right": (
        "whether the quote of an answered, answerable question has 90 % of a supporting span (a list: of all in one "
        "document together) and is at most twice as long, or 120 code points; no quote is wrong"
    ),
    "Words shown": "share of the answerable questions with `short` true that were answered with words",
    "Words right": "whether these words have a token F1 of 0.5 or more",
    "Answerability AUROC": (
        "chance that an answerable question gets a higher confidence than an unanswerable one (Hanley and McNeil, 1982)"
    ),
    "Answerability AUPRC": "average precision of confidence (Davis and Goadrich, 2006)",
    "Answerability ECE": (
        "how far confidence and the answerable share lie apart, on average over ten bins of equally many "
        "questions (Nguyen and O'Connor, 2015): less is better"
    ),
    "Answerability Brier": "mean squared distance of confidence and truth (Brier, 1950): less is better",
    "Answerability AURC": (
        "mean share of unanswerable questions among the k most confident, over all k: the area under the "
        "risk–coverage curve (Geifman et al., 2019): less is better"
    ),
    "Quote ECE": (
        "how far the quote's confidence and the share of right quotes lie apart, on average over fifteen bins; of 21 "
        "quotes or more: less is better"
    ),
    "Words ECE": "the same of the confidence of the words and the share of right ones",
}
