package portal_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/portal"
)

var fileNames = map[string][3]string{ // name, type, what becomes of it
	"plain":             {"report.pdf", "application/pdf", "report.pdf"},
	"nothing":           {"", "image/jpeg", "image.jpg"},
	"nothing, video":    {"", "video/mp4; codecs=x", "video.mp4"},
	"nothing known":     {"", "application/x-unheard-of", "file"},
	"unix path":         {"../../etc/passwd", "", "passwd"},
	"windows path":      {`C:\Windows\system32\evil.dll`, "", "evil.dll"},
	"only a path":       {"../..", "image/png", "image.png"},
	"hidden":            {".bashrc", "", "bashrc"},
	"dots and spaces":   {" . .. x.txt. . ", "", "x.txt"},
	"control":           {"a\x00b\n\tc\x7f.txt", "", "abc.txt"},
	"right to left":     {"photo_\u202egpj.exe", "", "photo_gpj.exe"},
	"isolates":          {"a\u2066b\u2069c\u200f.txt", "", "abc.txt"},
	"zero width":        {"a\u200bb\u200d\ufeffc\u00ad.txt", "", "abc.txt"},
	"blank letters":     {"a\u3164\u2800b.txt", "", "ab.txt"},
	"only invisible":    {"\u200b\u202e\u3164", "audio/mpeg", "audio.mp3"},
	"many spaces":       {"photo.jpg" + strings.Repeat(" ", 100) + ".exe", "", "photo.jpg.exe"},
	"other white space": {"a\u00a0\u3000b.txt", "", "a b.txt"},
	"device":            {"con.txt", "", "_con.txt"},
	"device, upper":     {"LPT1", "", "_LPT1"},
	"device, twice":     {"nul.tar.gz", "", "_nul.tar.gz"},
	"no device":         {"console.txt", "", "console.txt"},
	"refused":           {`a<b>c:d"e|f?g*h.txt`, "", "a_b_c_d_e_f_g_h.txt"},
	"broken UTF-8":      {"a\xffb.txt", "", "ab.txt"},
	"umlauts":           {"Grüße 你好.txt", "", "Grüße 你好.txt"},
	"long":              {strings.Repeat("x", 300) + ".pdf", "", strings.Repeat("x", 116) + ".pdf"},
	"long, wide":        {strings.Repeat("👋", 200) + ".pdf", "", strings.Repeat("👋", 59) + ".pdf"},
	"long extension":    {"a." + strings.Repeat("x", 300), "", "a." + strings.Repeat("x", 118)},
}

func TestSafeFileName(t *testing.T) {
	for name, test := range fileNames {
		if got := portal.SafeFileName(test[0], test[1]); got != test[2] {
			t.Errorf("%s: SafeFileName(%.80q, %q) = %q, want %q", name, test[0], test[1], got, test[2])
		}
	}
}

func FuzzSafeFileName(f *testing.F) {
	for _, test := range fileNames {
		f.Add(test[0], test[1])
	}
	f.Fuzz(func(t *testing.T, name, mimeType string) {
		safe := portal.SafeFileName(name, mimeType)
		switch {
		case safe == "", !utf8.ValidString(safe), utf8.RuneCountInString(safe) > 120, len(safe) > 240:
			t.Errorf("SafeFileName(%q) = %q", name, safe)
		case strings.ContainsAny(safe, `/\:*?"<>|`), strings.HasPrefix(safe, "."), strings.HasPrefix(safe, " "), strings.HasSuffix(safe, "."), strings.HasSuffix(safe, " "):
			t.Errorf("SafeFileName(%q) = %q", name, safe)
		case strings.ContainsFunc(safe, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }):
			t.Errorf("SafeFileName(%q) = %q", name, safe)
		}
		if again := portal.SafeFileName(safe, mimeType); again != safe {
			t.Errorf("SafeFileName(%q) = %q, and of that %q", name, safe, again)
		}
	})
}
