package puppet

import (
	"strings"

	"go.mau.fi/whatsmeow/types"
)

const (
	// minPhoneDigits and maxPhoneDigits bound an international number without its plus: E.164 has at most 15 digits.
	minPhoneDigits = 7
	maxPhoneDigits = 15
)

// Phone returns the phone number that a JID stands for, in international form with a plus, or "" if the JID is not
// made of one (a LID, another partner's user).
func Phone(jid types.JID) string {
	if jid.Server != types.DefaultUserServer || !isPhoneDigits(jid.User) {
		return ""
	}
	return "+" + jid.User
}

// FormatPhone groups a number such as "+4915112345678" for reading: "+49 151 123 456 78". The groups are plain, since
// every country has rules of its own: the country code, then three digits each, with up to four in the last group.
// What is not an international number is returned as it is.
func FormatPhone(phone string) string {
	digits, international := strings.CutPrefix(phone, "+")
	if !international || !isPhoneDigits(digits) {
		return phone
	}
	code := countryCodeLength(digits)
	var grouped strings.Builder
	grouped.WriteString(phone[:1+code])
	for rest := digits[code:]; rest != ""; {
		size := min(3, len(rest))
		if len(rest) == 4 {
			size = 4
		}
		grouped.WriteByte(' ')
		grouped.WriteString(rest[:size])
		rest = rest[size:]
	}
	return grouped.String()
}

func isPhoneDigits(text string) bool {
	if len(text) < minPhoneDigits || len(text) > maxPhoneDigits || text[0] == '0' {
		return false
	}
	return strings.Trim(text, "0123456789") == ""
}

// twoDigitCodes are ITU-T E.164's country codes of two digits. 1 and 7 have one; all others have three.
const twoDigitCodes = " 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 " +
	"60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 "

func countryCodeLength(digits string) int {
	switch {
	case digits[0] == '1' || digits[0] == '7':
		return 1
	case strings.Contains(twoDigitCodes, " "+digits[:2]+" "):
		return 2
	default:
		return 3
	}
}
