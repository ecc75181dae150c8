package interop_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"postern/interop"
)

func BenchmarkEncryptMedia(b *testing.B) {
	for _, size := range []int{64 << 10, 16 << 20} {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			plain := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := interop.EncryptMedia(io.Discard, bytes.NewReader(plain), interop.MediaVideo, noLimit); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecryptMedia(b *testing.B) {
	for _, size := range []int{64 << 10, 16 << 20} {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			file, media := otherEncrypt(b, make([]byte, size), interop.MediaVideo)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.Copy(io.Discard, interop.DecryptMedia(bytes.NewReader(file), media)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
