package interop_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"go.mau.fi/whatsmeow/util/cbcutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"

	"postern/interop"
)

const noLimit = math.MaxInt64

// mediaSizes are around the block and the chunk of the codec.
var mediaSizes = []int{0, 1, 15, 16, 17, 64<<10 - 17, 64<<10 - 1, 64 << 10, 64<<10 + 1, 64<<10 + 16, 128 << 10, 1 << 20}

var mediaInfo = map[interop.MediaKind]string{
	interop.MediaImage: "WhatsApp Image Keys", interop.MediaVideo: "WhatsApp Video Keys",
	interop.MediaAudio: "WhatsApp Audio Keys", interop.MediaDocument: "WhatsApp Document Keys",
}

// otherEncrypt makes a file as another implementation does.
func otherEncrypt(tb testing.TB, plain []byte, kind interop.MediaKind) ([]byte, *interop.Media) {
	tb.Helper()
	media := &interop.Media{Kind: kind, SHA256: sha256.Sum256(plain), Length: int64(len(plain))}
	rand.Read(media.Key[:])
	keys := hkdfutil.SHA256(media.Key[:], nil, []byte(mediaInfo[kind]), 112)
	file, err := cbcutil.Encrypt(keys[16:48], keys[:16], bytes.Clone(plain))
	if err != nil {
		tb.Fatal(err)
	}
	file = append(file, otherMAC(keys, file)...)
	media.EncSHA256 = sha256.Sum256(file)
	return file, media
}

func otherMAC(keys, ciphertext []byte) []byte {
	mac := hmac.New(sha256.New, keys[48:80])
	mac.Write(keys[:16])
	mac.Write(ciphertext)
	return mac.Sum(nil)[:10]
}

// otherDecrypt reads a file as another implementation does.
func otherDecrypt(file []byte, media *interop.Media) ([]byte, error) {
	keys := hkdfutil.SHA256(media.Key[:], nil, []byte(mediaInfo[media.Kind]), 112)
	ciphertext, tag := file[:len(file)-10], file[len(file)-10:]
	if sha256.Sum256(file) != media.EncSHA256 {
		return nil, errors.New("hash of the encrypted file")
	} else if !bytes.Equal(tag, otherMAC(keys, ciphertext)) {
		return nil, errors.New("MAC")
	}
	plain, err := cbcutil.Decrypt(keys[16:48], keys[:16], bytes.Clone(ciphertext))
	if err == nil && (sha256.Sum256(plain) != media.SHA256 || int64(len(plain)) != media.Length) {
		err = errors.New("hash or length of the plain file")
	}
	return plain, err
}

func randomBytes(size int) []byte {
	data := make([]byte, size)
	rand.Read(data)
	return data
}

func TestMediaIsReadByAnotherImplementation(t *testing.T) {
	for kind := range mediaInfo {
		for _, size := range mediaSizes {
			plain := randomBytes(size)
			var file bytes.Buffer
			media, err := interop.EncryptMedia(&file, iotest.HalfReader(bytes.NewReader(plain)), kind, int64(size))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := otherDecrypt(file.Bytes(), media); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s of %d bytes: %v", kind, size, err)
			}
			if media.Kind != kind || int64(file.Len()) != interop.EncryptedLength(int64(size)) {
				t.Errorf("%s of %d bytes has %d", media.Kind, size, file.Len())
			}
		}
	}
}

func TestMediaOfAnotherImplementationIsRead(t *testing.T) {
	for kind := range mediaInfo {
		for _, size := range mediaSizes {
			plain := randomBytes(size)
			file, media := otherEncrypt(t, plain, kind)
			for name, source := range map[string]io.Reader{
				"at once": bytes.NewReader(file), "in halves": iotest.HalfReader(bytes.NewReader(file)),
				"end with data": iotest.DataErrReader(bytes.NewReader(file)),
			} {
				if got, err := io.ReadAll(interop.DecryptMedia(source, media)); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s of %d bytes, %s: %d bytes, %v", kind, size, name, len(got), err)
				}
			}
		}
	}
	file, media := otherEncrypt(t, []byte("text"), interop.MediaImage)
	if err := iotest.TestReader(interop.DecryptMedia(bytes.NewReader(file), media), []byte("text")); err != nil {
		t.Error(err)
	}
}

func TestEachFileHasAKeyOfItsOwn(t *testing.T) {
	var one, two bytes.Buffer
	first, err1 := interop.EncryptMedia(&one, bytes.NewReader(nil), interop.MediaImage, 0)
	second, err2 := interop.EncryptMedia(&two, bytes.NewReader(nil), interop.MediaImage, 0)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if first.Key == second.Key || bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two files under one key")
	}
}

func TestEncryptMediaFails(t *testing.T) {
	failure := errors.New("disk is full")
	long := bytes.Repeat([]byte("x"), 100<<10)
	for name, test := range map[string]struct {
		from  io.Reader
		to    io.Writer
		kind  interop.MediaKind
		limit int64
		want  error
	}{
		"over the limit":            {bytes.NewReader(long), io.Discard, interop.MediaImage, int64(len(long)) - 1, interop.ErrMediaTooLarge},
		"endless":                   {endless{}, io.Discard, interop.MediaImage, 1 << 20, interop.ErrMediaTooLarge},
		"source fails":              {io.MultiReader(bytes.NewReader(long), iotest.ErrReader(failure)), io.Discard, interop.MediaImage, noLimit, failure},
		"source is cut off":         {io.MultiReader(bytes.NewReader(long), iotest.ErrReader(io.ErrUnexpectedEOF)), io.Discard, interop.MediaImage, noLimit, io.ErrUnexpectedEOF},
		"source fails after an end": {iotest.ErrReader(fmt.Errorf("broken: %w", io.EOF)), io.Discard, interop.MediaImage, noLimit, io.EOF},
		"target fails":              {bytes.NewReader(long), failingWriter{failure}, interop.MediaImage, noLimit, failure},
		"unknown kind":              {bytes.NewReader(long), io.Discard, "sculpture", noLimit, interop.ErrMediaInvalid},
	} {
		if media, err := interop.EncryptMedia(test.to, test.from, test.kind, test.limit); media != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, %v", name, media != nil, err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// wantDamaged reads everything and checks what a consumer relies on when the file is damaged.
func wantDamaged(t *testing.T, what string, file []byte, media *interop.Media, want error) {
	t.Helper()
	source := &countingReader{Reader: bytes.NewReader(file)}
	got, err := io.ReadAll(interop.DecryptMedia(source, media))
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
	if int64(len(got)) >= media.Length && media.Length > 0 {
		t.Errorf("%s: all %d bytes were handed out", what, len(got))
	}
	if most := interop.EncryptedLength(media.Length) + 1; media.Length >= 0 && source.count > most {
		t.Errorf("%s: %d bytes were read, at most %d should be", what, source.count, most)
	}
}

type countingReader struct {
	io.Reader
	count int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.count += int64(n)
	return n, err
}

func TestDamagedMediaIsNeverHandedOutWhole(t *testing.T) {
	for _, size := range []int{0, 1, 16, 64 << 10, 64<<10 + 1, 200_000} {
		file, media := otherEncrypt(t, randomBytes(size), interop.MediaVideo)
		step := max(1, len(file)/50)
		for at := 0; at < len(file); at += step {
			flipped := bytes.Clone(file)
			flipped[at] ^= 1 << (at % 8)
			wantDamaged(t, fmt.Sprintf("%d bytes, bit flipped at %d", size, at), flipped, media, interop.ErrMediaBroken)
			wantDamaged(t, fmt.Sprintf("%d bytes, cut to %d", size, at), file[:at], media, interop.ErrMediaBroken)
		}
		flipped := bytes.Clone(file)
		flipped[len(flipped)-1] ^= 1
		wantDamaged(t, "last byte flipped", flipped, media, interop.ErrMediaBroken)
		wantDamaged(t, "last byte missing", file[:len(file)-1], media, interop.ErrMediaBroken)
		wantDamaged(t, "a byte more", append(bytes.Clone(file), 0), media, interop.ErrMediaBroken)
		wantDamaged(t, "much more", append(bytes.Clone(file), make([]byte, 1<<20)...), media, interop.ErrMediaBroken)
		for name, change := range map[string]func(media *interop.Media){
			"wrong key":            func(media *interop.Media) { media.Key[3] ^= 1 },
			"wrong kind":           func(media *interop.Media) { media.Kind = interop.MediaDocument },
			"wrong hash":           func(media *interop.Media) { media.SHA256[31] ^= 1 },
			"wrong encrypted hash": func(media *interop.Media) { media.EncSHA256[0] ^= 1 },
			"length one more":      func(media *interop.Media) { media.Length++ },
			"length a block more":  func(media *interop.Media) { media.Length += 16 },
			"length a chunk more":  func(media *interop.Media) { media.Length += 64 << 10 },
			"length of 4 GiB":      func(media *interop.Media) { media.Length = 4 << 30 },
			"length too small":     func(media *interop.Media) { media.Length -= 64 << 10 },
			"length one less":      func(media *interop.Media) { media.Length-- },
		} {
			changed := *media
			change(&changed)
			want := interop.ErrMediaBroken
			if changed.Length < 0 {
				want = interop.ErrMediaInvalid
			}
			wantDamaged(t, fmt.Sprintf("%d bytes, %s", size, name), file, &changed, want)
		}
	}
}

// TestForgedPaddingIsFound has a sender who makes a file with a good MAC that is shorter than told: the length lies within
// the last block.
func TestForgedPaddingIsFound(t *testing.T) {
	plain := randomBytes(20)
	file, media := otherEncrypt(t, plain, interop.MediaImage)
	media.Length = 25
	wantDamaged(t, "longer", file, media, interop.ErrMediaBroken)
	media.Length = 17
	wantDamaged(t, "shorter", file, media, interop.ErrMediaBroken)
}

func TestTroubleOfTheSourceIsNoDamage(t *testing.T) {
	failure := errors.New("connection reset")
	file, media := otherEncrypt(t, randomBytes(100_000), interop.MediaAudio)
	for _, at := range []int{0, 10, 70_000, len(file) - 5, len(file)} {
		for _, want := range []error{failure, io.ErrUnexpectedEOF} {
			reader := interop.DecryptMedia(io.MultiReader(bytes.NewReader(file[:at]), iotest.ErrReader(want)), media)
			for range 2 { // the error stays
				if got, err := io.ReadAll(reader); !errors.Is(err, want) || errors.Is(err, interop.ErrMediaBroken) || len(got) >= 100_000 {
					t.Errorf("after %d bytes: got %d, %v", at, len(got), err)
				}
			}
		}
	}
}

func TestMediaPath(t *testing.T) {
	for product, want := range map[interop.Product]string{
		interop.ProductWhatsApp: "/interop/whatsapp/download/7/abc/", interop.ProductMessenger: "/interop/messenger/download/7/abc/",
	} {
		if got := interop.MediaPath(&interop.Gatekeeper{Product: product, Integrator: 7}, "abc"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzDecryptMedia(f *testing.F) {
	for _, size := range []int{0, 1, 16, 100, 64<<10 + 1} {
		file, media := otherEncrypt(f, make([]byte, size), interop.MediaImage)
		f.Add(file, media.Key[:], media.SHA256[:], media.EncSHA256[:], media.Length, uint16(100))
		f.Add(file, media.Key[:], media.SHA256[:], media.EncSHA256[:], media.Length+1, uint16(1))
		f.Add(file[:len(file)/2], media.Key[:], media.SHA256[:], media.EncSHA256[:], int64(math.MaxInt64), uint16(1))
	}
	f.Fuzz(func(t *testing.T, file, key, hash, encHash []byte, length int64, step uint16) {
		media := &interop.Media{Kind: interop.MediaImage, Length: length}
		copy(media.Key[:], key)
		copy(media.SHA256[:], hash)
		copy(media.EncSHA256[:], encHash)
		source := &countingReader{Reader: bytes.NewReader(file)}
		reader, part := interop.DecryptMedia(source, media), make([]byte, int(step)+1)
		var plain []byte
		var err error
		for err == nil {
			var n int
			n, err = reader.Read(part)
			plain = append(plain, part[:n]...)
		}
		switch {
		case errors.Is(err, io.EOF):
			if want, otherErr := otherDecrypt(file, media); otherErr != nil || !bytes.Equal(plain, want) {
				t.Errorf("%d bytes came out, another implementation says %v", len(plain), otherErr)
			}
		case !errors.Is(err, interop.ErrMediaBroken) && !errors.Is(err, interop.ErrMediaInvalid):
			t.Errorf("got %v", err)
		case length > 0 && int64(len(plain)) >= length:
			t.Error("all bytes of a damaged file came out")
		}
		if length >= 0 && length < 1<<60 && source.count > interop.EncryptedLength(length)+1 {
			t.Errorf("%d bytes were read", source.count)
		}
	})
}
