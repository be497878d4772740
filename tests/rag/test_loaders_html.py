"""HTML: the main content with structure, fields from the head alone, nothing fetched, nothing expanded."""

import pytest
from lxml import html as lxml_html

from rag.errors import LoadProblem, NoText
from rag.loaders import load
from rag.loaders.html_text import render

ARTICLE = """<h1>Storm closes <em>port</em></h1>
<p>The port of <a href="/a">Arden</a> was closed on <b>Monday</b>
 after a storm; 14 ships &amp; 2 boats waited.<br>Nobody was hurt.</p>
<h2>What happens<br>next</h2>
<ul><li>First</li><li><p>Second</p><ol><li>Nested</li></ol></li></ul>
<table><tr><th>Ship</th><th>Flag</th><th>Crew</th></tr><tr><td>Aurora</td><td></td><td>12</td></tr></table>
<pre>def f(x):
    return x</pre>
<blockquote><p>We wait.</p></blockquote>"""

TEXT = """Storm closes port

The port of Arden was closed on Monday after a storm; 14 ships & 2 boats waited.
Nobody was hurt.

What happens next

- First
- Second
  - Nested

Ship | Flag | Crew
Aurora |  | 12

def f(x):
    return x

We wait."""

NAV = '<nav><ul><li><a href="/">Home</a></li><li><a href="/world">World</a></li></ul></nav>'


def load_html(markup, name="a.html"):
    """Load a markup as an HTML file."""
    (document,) = load(markup.encode() if isinstance(markup, str) else markup, name=name)
    return document


def test_a_document_without_navigation_is_taken_whole():
    """Paragraphs, items, rows and code have the form that the docs promise; headings have exact offsets."""
    document = load_html(f"<html><body>{ARTICLE}</body></html>")
    assert document.text == TEXT
    assert [(h.level, h.title) for h in document.headings] == [(1, "Storm closes port"), (2, "What happens next")]
    assert [document.text[h.start : h.end] for h in document.headings] == ["Storm closes port", "What happens next"]


def test_the_main_content_of_a_page_leaves_navigation_out():
    """Of a site's page the article is taken, with the same structure and exact headings."""
    footer = "<footer>Imprint and cookies</footer><script>var a = 1</script>"
    listing = "<p>See:</p><figure><pre><code>x = 1\ny = 2</code></pre><figcaption>Listing 1</figcaption></figure>"
    document = load_html(f"<html><body>{NAV}<main><article>{ARTICLE}{listing}</article></main>{footer}</body></html>")
    assert "Home" not in document.text
    assert "Imprint" not in document.text
    assert "var a" not in document.text
    assert "closed on Monday after a storm; 14 ships & 2 boats waited." in document.text
    assert "- First\n- Second" in document.text
    assert "Ship | Flag | Crew" in document.text
    assert "def f(x):\n    return x" in document.text
    assert "x = 1\ny = 2" in document.text
    assert [h.title for h in document.headings] == ["Storm closes port", "What happens next"]
    assert all(document.text[h.start : h.end] == h.title for h in document.headings)


def test_a_page_of_navigation_and_one_line_still_gives_the_line():
    """Where no main content is found all but scripts and navigation is taken."""
    assert load_html(f"<html><body>{NAV}<div>Closed.</div><style>p {{}}</style></body></html>").text == "Closed."


def test_a_short_page_keeps_its_headings():
    """What trafilatura would flatten is taken from the page's body, without its footer."""
    document = load_html(f"<html><body>{NAV}<div>{ARTICLE}</div><footer>Imprint</footer></body></html>")
    assert document.text == TEXT
    assert [h.title for h in document.headings] == ["Storm closes port", "What happens next"]


def test_an_article_full_of_other_things_is_cut_down_to_its_text():
    """Where most of a page is something else trafilatura's choice is taken, with its headings."""
    text = "".join(f"<p>Paragraph {n} of the story goes on for a while, with commas, and ends.</p>" for n in range(9))
    links = "".join(f'<li><a href="/{n}">Another headline number {n} to click on</a></li>' for n in range(60))
    related = f'<div class="related sidebar"><ul>{links}</ul></div>'
    page = f"<html><body>{NAV}<article><h1>The story</h1>{text}<h2>Its end</h2>{text}</article>{related}</body></html>"
    document = load_html(page.replace("<article>", '<div class="post-content">').replace("</article>", "</div>"))
    assert "Another headline" not in document.text
    assert "Paragraph 8 of the story" in document.text
    assert [h.title for h in document.headings][-1] == "Its end"


def test_tables_that_lay_out_a_page_are_no_rows():
    """Cells that hold blocks are blocks."""
    root = lxml_html.fromstring("<body><table><tr><td><p>One.</p></td><td><p>Two.</p></td></tr></table></body>")
    assert render(root)[0] == "One.\n\nTwo."


def test_the_head_gives_the_fields():
    """Title, date, language, address, site, author and description stand in standard places."""
    document = load_html(
        """<html lang="en-GB"><head><title>Storm | Daily</title>
        <meta property="og:title" content="Storm closes port"><meta property="og:site_name" content="The Daily">
        <meta property="article:published_time" content="2025-08-26T09:30:00+02:00">
        <meta name="author" content="Jane Roe"><meta name="description" content="A storm.">
        <link rel="canonical" href="https://example.org/storm"></head><body><p>Text.</p></body></html>"""
    )
    assert (document.title, document.source, document.language) == ("Storm closes port", "The Daily", "en-GB")
    assert (document.published, document.uri) == ("2025-08-26T07:30:00Z", "https://example.org/storm")
    assert document.metadata == {"author": "Jane Roe", "description": "A storm."}


@pytest.mark.parametrize(
    ("head", "body", "published"),
    [
        ('<meta name="DC.date" content="2025-08">', "", "2025-08"),
        ('<meta itemprop="datePublished" content="2025-08-26">', "", "2025-08-26"),
        ('<script type="application/ld+json">{"@graph": [{"datePublished": "2025-08-26"}]}</script>', "", "2025-08-26"),
        ('<script type="application/ld+json">{"datePublished": </script>', "", None),
        (
            '<script type="application/ld+json">[{"datePublished": "2025"}, {"datePublished": "2024"}]</script>',
            "",
            None,
        ),
        ("", '<article><header><time datetime="2025-08-26">yesterday</time></header></article>', "2025-08-26"),
        ("", '<article><header><time datetime="2025">a</time><time datetime="2024">b</time></header></article>', None),
        ("", '<p>Posted on <time datetime="2025-08-26">26 August 2025</time></p>', None),
        ("", "<p>August 26, 2025</p>", None),
    ],
)
def test_dates_come_from_standard_places_only(head, body, published):
    """A date in the text is no publication date, and two that disagree are none."""
    assert load_html(f"<html><head>{head}</head><body>{body}<p>Text.</p></body></html>").published == published


def test_an_unreadable_date_stays_as_it_came():
    """What cannot be read is kept as metadata, not guessed."""
    document = load_html('<meta name="date" content="03/04/2025"><p>Text.</p>')
    assert (document.published, document.metadata) == (None, {"date": "03/04/2025"})


def test_a_relative_address_is_no_address():
    """An address without a host means nothing elsewhere."""
    assert load_html('<link rel="canonical" href="/storm"><p>Text.</p>').uri is None


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta charset="iso-8859-7">',
        '<meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-7">',
    ],
)
def test_the_declared_encoding_is_used_and_recorded(declaration):
    """A legacy page is decoded by its own declaration."""
    document = load_html(f"<html><head>{declaration}</head><body><p>Άλφα</p></body></html>".encode("iso8859-7"))
    assert (document.text, document.encoding) == ("Άλφα", "iso8859-7")


def test_xhtml_with_a_declaration_is_read():
    """An XML declaration before text that is decoded already does not matter."""
    markup = (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>é</p></body></html>'
    )
    assert load_html(markup).text == "é"


def test_entities_are_not_expanded_and_files_are_not_read(tmp_path):
    """A document type cannot multiply text nor bring in a file."""
    secret = tmp_path / "secret.txt"
    secret.write_text("swordfish")
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "boom"}">' for n in range(10))
    markup = f'<!DOCTYPE html [{levels}<!ENTITY f SYSTEM "file://{secret}">]><html><body><p>&a9;&f;</p><p>Hi</p>'
    text = load_html(markup).text
    assert "swordfish" not in text
    assert "boomboom" not in text
    assert "Hi" in text


def test_twenty_thousand_nested_elements_are_refused_rather_than_cut_off():
    """The parser would drop what lies deeper than it goes; that is said, not done silently."""
    with pytest.raises(LoadProblem, match="nested"):
        load_html("<div>" * 20_000 + "<p>deep</p>" + "</div>" * 20_000)


def test_deep_nesting_within_the_limit_is_read():
    """A thousand levels lose nothing."""
    assert load_html(NAV + "<div>" * 1_000 + "<p>deep</p>" + "</div>" * 1_000 + "<p>after</p>").text == "deep\n\nafter"


def test_a_large_page_is_loaded_whole():
    """A long line and a page of many elements are read in full."""
    assert len(load_html(b"<p>" + b"word " * 2_000_000).text) == 9_999_999
    assert load_html(b"<p>a" + b" " * 2_000_000 + b"b").text == "a b"
    assert load_html(NAV + "<p>word</p>" * 50_000).text.count("word") == 50_000


@pytest.mark.parametrize(
    "markup", ["<script>var a</script>", "<!-- only a comment -->", "<html><body></body></html>", NAV]
)
def test_a_page_without_text_says_so(markup):
    """Scripts, comments and navigation alone are no text."""
    with pytest.raises(NoText):
        load_html(markup)
