package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

var errKeyLength = errors.New("is not a key of 32 bytes")

func parseRootKey(text string) (key [32]byte, err error) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString,
		base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if raw, err := decode(strings.TrimSpace(text)); err == nil && len(raw) == len(key) {
			return [32]byte(raw), nil
		}
	}
	return key, errKeyLength
}

// parseNetwork reads an address, or a network as 172.16.0.0/12.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

var errVersionShape = errors.New("is not a version")

func parseVersion(text string) (version [3]uint32, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != len(version) {
		return version, errVersionShape
	}
	for i, part := range parts {
		number, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return version, errVersionShape
		}
		version[i] = uint32(number)
	}
	return version, nil
}
