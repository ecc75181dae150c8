package portal

import (
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxFileName is how long a file name may be: in characters, and in bytes, of which file systems take 255.
	maxFileName, maxFileNameBytes = 120, 240
	// maxExtension is how long what is behind the last dot may be to count as an extension, in bytes.
	maxExtension = 16
	// maxMimeType is how long a MIME type may be, in bytes. RFC 6838 allows 127 for each half; none comes near.
	maxMimeType = 127
)

// extensions are those for files that come without a name. Not from package mime, which asks the system.
var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "image/heic": ".heic",
	"video/mp4": ".mp4", "video/3gpp": ".3gp", "video/webm": ".webm", "video/quicktime": ".mov",
	"audio/ogg": ".ogg", "application/ogg": ".ogg", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/aac": ".aac", "audio/amr": ".amr", "audio/wav": ".wav",
	"application/pdf": ".pdf", "application/zip": ".zip", "text/plain": ".txt", "text/vcard": ".vcf",
}

// SafeFileName makes a name that a person can save a foreign file under and be shown in a chat: without a path, control,
// invisible or direction-changing characters, with a bounded length, and never a name that means a device or a hidden
// file. A name of nothing becomes one that says the kind, such as "image.jpg".
func SafeFileName(name, mimeType string) string {
	general, _, _ := strings.Cut(mimeType, "/")
	switch general {
	case "image", "video", "audio":
		return safeFileName(name, general, mimeType)
	default:
		return safeFileName(name, "file", mimeType)
	}
}

// safeFileName takes the name that nothing becomes, without its extension.
func safeFileName(name, instead, mimeType string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = oneLine(strings.Map(fileNameRune, name))
	name = strings.TrimRight(strings.TrimLeft(name, ". "), ". ")
	if name == "" {
		name = instead + extensions[plainMimeType(mimeType)]
	}
	base, _, _ := strings.Cut(name, ".")
	if reservedName(strings.TrimSpace(base)) {
		name = "_" + name
	}
	return shortFileName(name)
}

// fileNameRune drops what cannot be seen and replaces what file systems refuse.
func fileNameRune(r rune) rune {
	switch {
	case invisible(r), r == utf8.RuneError:
		return -1
	case unicode.IsSpace(r):
		return ' '
	case strings.ContainsRune(`<>:"|?*`, r):
		return '_'
	}
	return r
}

// invisible tells whether a character takes no room, or changes the direction of those around it.
func invisible(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u2800', '\u3164', '\uffa0': // letters and marks that are blank
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp)
}

// reservedName tells whether Windows takes a name for a device.
func reservedName(base string) bool {
	base = strings.ToUpper(base)
	switch base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	port, number := strings.CutPrefix(base, "COM")
	if !number {
		port, number = strings.CutPrefix(base, "LPT")
	}
	return number && len(port) == 1 && port[0] >= '0' && port[0] <= '9'
}

// shortFileName cuts a name before its extension.
func shortFileName(name string) string {
	extension := ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= maxExtension {
		name, extension = name[:dot], name[dot:]
	}
	name = cutText(name, maxFileName-utf8.RuneCountInString(extension))
	for len(name)+len(extension) > maxFileNameBytes {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return strings.TrimRight(name, " ") + extension
}

// plainMimeType returns a MIME type without parameters and in lower case, "" if it is none.
func plainMimeType(claim string) string {
	if len(claim) > maxMimeType {
		return ""
	}
	plain, _, err := mime.ParseMediaType(claim)
	if general, special, ok := strings.Cut(plain, "/"); err != nil && plain == "" || !ok || general == "" || special == "" {
		return ""
	}
	return plain
}

// oneLine makes one line of a text, with single spaces.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// cutText cuts a text after a number of characters.
func cutText(text string, limit int) string { return text[:runeOffset(text, max(limit, 0))] }
