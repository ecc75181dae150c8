package markup

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"maunium.net/go/mautrix/id"
)

// maxHref is how long a link's address may be, in bytes. A longer one is dropped and its text kept.
const maxHref = 2048

// closeLink ends the open link: a mention becomes "@name", and the address is added behind the text unless the text
// is the address.
func (p *htmlParser) closeLink() {
	if p.link == nil {
		return
	}
	opened := p.link
	p.link = nil
	var text string
	if oneLine := opened.lines == len(p.lines) && opened.cells <= len(p.line); oneLine {
		text = textOf(p.line[opened.cells:])
		if name, ok := mentionOf(opened.href, text); ok {
			style := p.style()
			if opened.cells < len(p.line) {
				style = p.line[opened.cells].style
			}
			p.line = p.line[:opened.cells]
			p.styledText(name, style)
			return
		}
	}
	switch href := safeHref(opened.href); {
	case href == "" || sameAddress(text, href):
	case strings.TrimSpace(text) == "" && opened.lines == len(p.lines):
		p.text(href)
	default:
		p.text(" (" + href + ")")
	}
}

func textOf(cells []cell) string {
	var text strings.Builder
	for _, c := range cells {
		text.WriteRune(c.r)
	}
	return text.String()
}

// mentionOf returns how a link to a Matrix user is written.
func mentionOf(href, text string) (name string, ok bool) {
	if len(href) > maxHref {
		return "", false
	}
	address, err := id.ParseMatrixURIOrMatrixToURL(href)
	if err != nil || address == nil || !strings.HasPrefix(address.PrimaryIdentifier(), "@") {
		return "", false
	}
	if text = strings.TrimSpace(text); text == "" {
		text = address.PrimaryIdentifier()
	}
	return "@" + strings.TrimPrefix(text, "@"), true
}

// safeHref returns an address that WhatsApp turns into a link, "" for one that is of no use to people there.
func safeHref(href string) string {
	href = strings.TrimSpace(href)
	if len(href) > maxHref || strings.ContainsAny(href, " \t\n`<>\"") {
		return ""
	}
	scheme, _, _ := strings.Cut(href, ":")
	switch strings.ToLower(scheme) {
	case "http", "https", "mailto", "tel":
		return href
	default:
		return ""
	}
}

// sameAddress tells whether a reader can take the text for the address: it differs by the scheme and a last slash only.
func sameAddress(text, href string) bool {
	bare := func(address string) string {
		for _, scheme := range [...]string{"https://", "http://", "mailto:", "tel:"} {
			if rest, ok := strings.CutPrefix(address, scheme); ok {
				address = rest
				break
			}
		}
		return strings.TrimSuffix(address, "/")
	}
	return strings.EqualFold(bare(strings.TrimSpace(text)), bare(href))
}

// readAttributes returns those attributes that matter, by name. The first of a name counts.
func readAttributes(tokens *html.Tokenizer, more bool) map[string]string {
	var attributes map[string]string
	for more {
		var key, value []byte
		key, value, more = tokens.TagAttr()
		switch name := string(key); name {
		case "href", "alt", "title", "start", "value", "data-mx-spoiler":
			if attributes == nil {
				attributes = make(map[string]string)
			}
			if _, ok := attributes[name]; !ok {
				attributes[name] = string(value)
			}
		}
	}
	return attributes
}

// listNumber reads the number of a list item, and returns the other one if it is none.
func listNumber(text string, otherwise int) int {
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 || number > maxListNumber {
		return otherwise
	}
	return number
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// isBlock tells of the elements that begin and end a line.
func isBlock(tag string) bool {
	switch tag {
	case "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "pre", "hr",
		"table", "thead", "tbody", "tfoot", "tr", "caption", "details", "summary", "dl", "dt", "dd",
		"section", "article", "header", "footer", "main", "nav", "aside", "address", "figure", "figcaption", "center":
		return true
	default:
		return false
	}
}
