package puppet

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxNameLength is how many characters of a contact's name are shown. WhatsApp's own limit is 25; Matrix servers
	// take 256 bytes.
	MaxNameLength = 60
	// maxRawName bounds how much of a name is looked at, in bytes.
	maxRawName = 1024
	// maxMarks is how many combining marks may follow one another: enough for every living script, too few to paint
	// over the lines above and below.
	maxMarks = 4
)

// joiners may stand between visible characters: emoji families, Persian and Indic words need them.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// invisibleLetters are letters to Unicode and nothing to the eye: a name of them would look empty.
const invisibleLetters = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"

// SafeName makes the name that a contact chose safe to display: one line, at most [MaxNameLength] characters, no
// control characters, nothing that changes the direction of the text around it, nothing invisible, no towers of
// combining marks. It returns "" if nothing visible is left, or if the name poses as somebody's phone number or Matrix
// ID, which the bridge itself uses to tell people apart.
func SafeName(raw string) string {
	if len(raw) > maxRawName {
		raw = raw[:maxRawName]
	}
	var name strings.Builder
	var pending rune // a space or joiner, written only if something visible follows
	length, marks, visible := 0, 0, false
	result := func(text string) string {
		if !visible || posesAsIdentifier(text) {
			return ""
		}
		return text
	}
	for _, r := range strings.ToValidUTF8(raw, "") {
		switch {
		case unicode.IsSpace(r):
			if length > 0 {
				pending = ' '
			}
			continue
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			if length > 0 && pending == 0 {
				pending = r
			}
			continue
		case isHidden(r):
			continue
		case unicode.Is(unicode.M, r):
			if marks++; length == 0 || marks > maxMarks {
				continue
			}
		default:
			marks, visible = 0, true
		}
		if pending != 0 && length+2 <= MaxNameLength {
			name.WriteRune(pending)
			length++
		} else if pending != 0 || length+1 > MaxNameLength {
			return result(cutName(name.String(), length))
		}
		pending = 0
		name.WriteRune(r)
		length++
	}
	return result(name.String())
}

// cutName ends a name of length characters that would go on with an ellipsis.
func cutName(name string, length int) string {
	if length == MaxNameLength {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return strings.TrimRight(name, " "+string(zeroWidthJoiner)+string(zeroWidthNonJoiner)) + "…"
}

// isHidden tells of characters that have no place in a name: controls, formatting such as direction marks and
// overrides, line and paragraph separators, private use, and letters that nobody sees.
func isHidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || strings.ContainsRune(invisibleLetters, r)
}

// posesAsIdentifier tells of names that look like a phone number or a Matrix ID. Contacts without a name are shown by
// their number, so a name must not be one.
func posesAsIdentifier(name string) bool {
	digits, others := 0, 0
	for _, r := range name {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r) || unicode.IsSymbol(r) && r != '+' && r != '\uff0b':
			others++
		}
	}
	if digits >= minPhoneDigits && others == 0 {
		return true
	}
	return strings.HasPrefix(name, "@") && strings.Contains(name, ":") && !strings.Contains(name, " ")
}
