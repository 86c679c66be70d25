// Package platform is Proximity over gRPC: the generated stubs, and a stream of events that resumes by itself.
package platform

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	apps "proximity/apps/v1"
	auth "proximity/auth/v1"
	backups "proximity/backups/v1"
)

const (
	attempts = 10
	delay    = time.Second
	timeout  = 30 * time.Second
)

// Platform is the platform as one user sees it.
type Platform struct {
	Auth    auth.AuthServiceClient
	Apps    apps.AppsServiceClient
	Backups backups.BackupsServiceClient
	channel *grpc.ClientConn
	token   string
}

// Connect opens a channel to the gateway. ca is PEM: certificates to trust on https, in place of the system's.
func Connect(address string, ca []byte) (*Platform, error) {
	parts, err := url.Parse(address)
	if err != nil || parts.Host == "" {
		return nil, fmt.Errorf("%q is no address", address)
	}
	option := grpc.WithInsecure()
	if parts.Scheme == "https" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if len(ca) > 0 {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(ca) {
				return nil, fmt.Errorf("there is no certificate in what is to be trusted")
			}
		}
		option = grpc.WithTransportCredentials(credentials.NewTLS(config))
	}
	channel, err := grpc.Dial(parts.Host, option)
	if err != nil {
		return nil, err
	}
	return &Platform{
		Auth:    auth.NewAuthServiceClient(channel),
		Apps:    apps.NewAppsServiceClient(channel),
		Backups: backups.NewBackupsServiceClient(channel),
		channel: channel,
	}, nil
}

// Close ends the channel.
func (p *Platform) Close() error { return p.channel.Close() }

// Login signs in; later calls carry the token, which is valid for an hour.
func (p *Platform) Login(username, password string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	session, err := p.Auth.Login(ctx, &auth.LoginRequest{Username: username, Password: password})
	if err == nil {
		p.token = session.Access
	}
	return err
}

// Context is for one call: it carries the token, a deadline, and a key that makes the repetition of a creating call
// harmless.
func (p *Platform) Context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	return metadata.AppendToOutgoingContext(p.sign(ctx), "idempotency-key", newKey()), cancel
}

// Follow gives see the events of an app after one ("0": from the first on; "": from now) until see returns false or the
// app is removed. A stream that breaks off is taken up again where it was.
func (p *Platform) Follow(appID, after string, see func(*apps.AppEvent) bool) error {
	for failures := 0; ; {
		err := p.listen(appID, &after, &failures, see)
		if err == nil {
			return nil
		}
		failures++
		switch status.Code(err) {
		case codes.Unavailable, codes.Internal, codes.Canceled:
		default:
			return err
		}
		if failures == attempts {
			return err
		}
		time.Sleep(delay)
	}
}

func (p *Platform) listen(appID string, after *string, failures *int, see func(*apps.AppEvent) bool) error {
	ctx, cancel := context.WithCancel(p.sign(context.Background()))
	defer cancel()
	stream, err := p.Apps.StreamAppEvents(ctx, &apps.StreamAppEventsRequest{AppId: appID, LastEventId: *after})
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			return err
		}
		*failures = 0
		if event.Event == nil { // a sign of life
			continue
		}
		*after = event.Id
		if !see(event) || event.GetRemoved() != nil {
			return nil
		}
	}
}

func (p *Platform) sign(ctx context.Context) context.Context {
	if p.token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+p.token)
}

func newKey() string {
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		panic(err) // the system has no randomness
	}
	return hex.EncodeToString(key)
}
