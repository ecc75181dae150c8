package wire

import (
	"fmt"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waCert"
	"google.golang.org/protobuf/proto"
)

const (
	rootSerial         = 0 // WhatsApp's: the root has no certificate, only a serial that intermediates name
	intermediateSerial = 1
	leafSerial         = 2
	signatureSize      = 64
	// maxCertChain is the largest chain accepted, in bytes; one with two certificates has about 300.
	maxCertChain = 4 << 10
)

// SignCertChain makes the certificate chain that a server with the leaf key sends in the handshake: root signs
// intermediate, intermediate signs leaf, both valid from notBefore to notAfter, to the second.
func SignCertChain(root, intermediate KeyPair, leaf [32]byte, notBefore, notAfter time.Time) ([]byte, error) {
	middle, err := signCert(root, &waCert.CertChain_NoiseCertificate_Details{
		Serial:       proto.Uint32(intermediateSerial),
		IssuerSerial: proto.Uint32(rootSerial),
		Key:          intermediate.Pub[:],
		NotBefore:    proto.Uint64(uint64(notBefore.Unix())),
		NotAfter:     proto.Uint64(uint64(notAfter.Unix())),
	})
	if err != nil {
		return nil, err
	}
	last, err := signCert(intermediate, &waCert.CertChain_NoiseCertificate_Details{
		Serial:       proto.Uint32(leafSerial),
		IssuerSerial: proto.Uint32(intermediateSerial),
		Key:          leaf[:],
		NotBefore:    proto.Uint64(uint64(notBefore.Unix())),
		NotAfter:     proto.Uint64(uint64(notAfter.Unix())),
	})
	if err != nil {
		return nil, err
	}
	chain, err := proto.Marshal(&waCert.CertChain{Leaf: last, Intermediate: middle})
	if err != nil {
		return nil, fmt.Errorf("failed to marshal certificate chain: %w", err)
	}
	return chain, nil
}

func signCert(issuer KeyPair, details *waCert.CertChain_NoiseCertificate_Details) (*waCert.CertChain_NoiseCertificate, error) {
	raw, err := proto.Marshal(details)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal certificate: %w", err)
	}
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(issuer.Priv), raw)
	return &waCert.CertChain_NoiseCertificate{Details: raw, Signature: signature[:]}, nil
}

// VerifyCertChain checks that the chain leads from the root key to the leaf key and is valid at the time.
// Every error is an [ErrUntrustedServer].
func VerifyCertChain(chain []byte, leaf, root [32]byte, now time.Time) error {
	if len(chain) > maxCertChain {
		return fmt.Errorf("%w: chain of %d bytes", ErrUntrustedServer, len(chain))
	}
	parsed := &waCert.CertChain{}
	if err := proto.Unmarshal(chain, parsed); err != nil {
		return fmt.Errorf("%w: chain cannot be parsed", ErrUntrustedServer)
	}
	middle, err := verifyCert(parsed.GetIntermediate(), "intermediate", root, rootSerial, now)
	if err != nil {
		return err
	}
	last, err := verifyCert(parsed.GetLeaf(), "leaf", [32]byte(middle.GetKey()), middle.GetSerial(), now)
	if err != nil {
		return err
	} else if [32]byte(last.GetKey()) != leaf {
		return fmt.Errorf("%w: leaf certificate is for another key", ErrUntrustedServer)
	}
	return nil
}

// verifyCert checks the signature before it parses what was signed. The details it returns have a key of 32 bytes.
func verifyCert(cert *waCert.CertChain_NoiseCertificate, name string, issuer [32]byte, issuerSerial uint32, now time.Time) (*waCert.CertChain_NoiseCertificate_Details, error) {
	refuse := func(why string) error { return fmt.Errorf("%w: %s certificate %s", ErrUntrustedServer, name, why) }
	if len(cert.GetDetails()) == 0 || len(cert.GetSignature()) != signatureSize {
		return nil, refuse("is incomplete")
	}
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey(issuer), cert.GetDetails(), [signatureSize]byte(cert.GetSignature())) {
		return nil, refuse("has a wrong signature")
	}
	details := &waCert.CertChain_NoiseCertificate_Details{}
	seconds := now.Unix()
	switch err := proto.Unmarshal(cert.GetDetails(), details); {
	case err != nil:
		return nil, refuse("cannot be parsed")
	case details.GetIssuerSerial() != issuerSerial:
		return nil, refuse("names another issuer")
	case len(details.GetKey()) != keySize:
		return nil, refuse("has no key")
	case seconds < 0 || uint64(seconds) < details.GetNotBefore():
		return nil, refuse("is not valid yet")
	case uint64(seconds) > details.GetNotAfter():
		return nil, refuse("has expired")
	}
	return details, nil
}
