package markup

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// MaxHTML is how much HTML is read, in bytes. A Matrix event has at most 64 KiB.
const MaxHTML = 64 << 10

// maxOpenElements is how many quotes, lists and items may be open at once; those opened deeper are only text. A parser
// that builds a tree was turned down: what it makes of misnested elements can be far larger than the input.
const maxOpenElements = 100

// FromHTML turns a Matrix message's HTML into a text for WhatsApp. base is the style of all of it. HTML over [MaxHTML]
// is cut there: callers who would rather use the plain text check the length first.
func FromHTML(source string, base Style) string {
	if len(source) > MaxHTML {
		source = source[:MaxHTML]
	}
	p := htmlParser{base: base}
	tokens := html.NewTokenizer(strings.NewReader(stripReply(source)))
	for {
		switch tokens.Next() {
		case html.ErrorToken: // the end: a strings.Reader has no other errors
			p.closeLink()
			p.endLine()
			return writeText(p.lines)
		case html.TextToken:
			if p.skip == "" {
				p.text(string(tokens.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, hasAttributes := tokens.TagName()
			if p.skip == "" {
				p.start(string(name), readAttributes(tokens, hasAttributes))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if p.skip == "" {
				p.end(string(name))
			} else if p.skip == string(name) {
				p.skip = ""
			}
		}
	}
}

// stripReply removes the quote of the message that is replied to, which older clients put in front.
func stripReply(source string) string {
	if trimmed := strings.TrimLeft(source, " \n"); strings.HasPrefix(trimmed, "<mx-reply>") {
		if _, rest, ok := strings.Cut(trimmed, "</mx-reply>"); ok {
			return rest
		}
	}
	return source
}

// htmlParser collects lines while it reads elements one after the other.
type htmlParser struct {
	lines []textLine
	line  []cell // the line that is being read
	base  Style

	// counts holds how many elements of each style are open. Counting instead of a stack makes misnested elements work.
	counts [4]int
	frames []frame
	pre    int // how many pre elements are open
	// blocks is the number of the last block of code.
	blocks int
	// skip is the element whose content is not text, while in it.
	skip string

	link      *openLink
	paragraph bool // in a p
	// gap is true behind a paragraph: another paragraph or a heading is set off by an empty line.
	gap bool
	// column is how many cells of a table row came before.
	column int
}

// frame is an open quote, list or list item.
type frame struct {
	tag    string
	number int    // ol: of the next item
	bullet string // li: written before its first line, and as many spaces before the others
	begun  bool   // li: the bullet is written
}

type openLink struct {
	href  string
	lines int // where it began: lines before, cells before in the line
	cells int
}

func (p *htmlParser) style() Style {
	style := p.base
	for i, count := range p.counts {
		if count > 0 {
			style |= Style(1) << i
		}
	}
	return style
}

// styleCount returns the counter for an element that styles text, nil for others.
func (p *htmlParser) styleCount(tag string) *int {
	switch tag {
	case "b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6":
		return &p.counts[0]
	case "i", "em":
		return &p.counts[1]
	case "s", "del", "strike":
		return &p.counts[2]
	case "code", "tt", "kbd", "samp":
		return &p.counts[3]
	default:
		return nil
	}
}

func (p *htmlParser) start(tag string, attributes map[string]string) {
	if isBlock(tag) {
		p.startBlock(tag)
	}
	if count := p.styleCount(tag); count != nil {
		*count++
	}
	switch tag {
	case "br":
		p.lineBreak()
	case "hr":
		p.text("---")
		p.endLine()
	case "blockquote":
		p.push(frame{tag: tag})
	case "ul":
		p.push(frame{tag: tag})
	case "ol":
		p.push(frame{tag: tag, number: listNumber(attributes["start"], 1)})
	case "li":
		p.startItem(attributes["value"])
	case "pre":
		if p.pre++; p.pre == 1 {
			p.blocks++
		}
	case "td", "th":
		if p.column++; p.column > 1 {
			p.text(" | ")
		}
	case "tr":
		p.column = 0
	case "a":
		p.closeLink()
		p.link = &openLink{href: attributes["href"], lines: len(p.lines), cells: len(p.line)}
	case "img":
		p.text(firstOf(attributes["alt"], attributes["title"]))
	case "span":
		if reason, ok := attributes["data-mx-spoiler"]; ok {
			p.spoiler(reason)
		}
	case "script", "style", "title", "iframe", "noembed", "noframes":
		p.skip = tag
	}
}

func (p *htmlParser) end(tag string) {
	if isBlock(tag) {
		p.endLine()
		p.gap = tag == "p" && p.paragraph
		p.paragraph = p.paragraph && tag != "p"
	}
	if count := p.styleCount(tag); count != nil && *count > 0 {
		*count--
	}
	switch tag {
	case "blockquote", "ul", "ol", "li":
		p.pop(tag)
	case "pre":
		p.pre = max(p.pre-1, 0)
	case "a":
		p.closeLink()
	}
}

// startBlock begins a new line, and sets a paragraph off from the one before.
func (p *htmlParser) startBlock(tag string) {
	p.endLine()
	heading := len(tag) == 2 && tag[0] == 'h' && tag != "hr"
	if (p.gap || p.paragraph) && (tag == "p" || heading) && len(p.frames) == 0 && p.pre == 0 {
		p.lines = append(p.lines, textLine{})
	}
	p.gap, p.paragraph = false, tag == "p"
}

func (p *htmlParser) startItem(value string) {
	bullet := "- "
	if list := len(p.frames) - 1; list >= 0 {
		switch p.frames[list].tag {
		case "li": // the one before was not closed
			p.pop("li")
			p.startItem(value)
			return
		case "ol":
			number := listNumber(value, p.frames[list].number)
			p.frames[list].number = min(number+1, maxListNumber)
			bullet = strconv.Itoa(number) + ". "
		}
	}
	p.push(frame{tag: "li", bullet: bullet})
}

func (p *htmlParser) push(f frame) {
	if len(p.frames) < maxOpenElements {
		p.frames = append(p.frames, f)
	}
}

// pop closes the innermost open element of the name, and what is open inside. A list item does not close beyond its list.
func (p *htmlParser) pop(tag string) {
	for i := len(p.frames) - 1; i >= 0; i-- {
		switch p.frames[i].tag {
		case tag:
			p.frames = p.frames[:i]
			return
		case "ul", "ol":
			if tag == "li" {
				return
			}
		}
	}
}

// spoiler says that what follows was to be hidden, since WhatsApp has no way to hide it.
func (p *htmlParser) spoiler(reason string) {
	if reason = strings.TrimSpace(reason); reason != "" {
		p.text("[spoiler: " + reason + "] ")
	} else {
		p.text("[spoiler] ")
	}
}
