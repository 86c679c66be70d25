// The client that openapi-generator makes in Go, on the walk of the stock clients. It is compiled as part of a module
// whose folder `proximity` is the generated package.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"walk/proximity"
)

const (
	delay    = 100 * time.Millisecond
	attempts = 600 // a minute
)

type platform struct {
	client *proximity.APIClient
	ctx    context.Context
	url    string
	token  string
}

func check(answer *http.Response, err error) {
	if err == nil {
		return
	}
	if refusal, ok := err.(*proximity.GenericOpenAPIError); ok {
		fmt.Fprintln(os.Stderr, string(refusal.Body()))
	}
	fmt.Fprintln(os.Stderr, err, answer)
	os.Exit(1)
}

// follow reads the events of an app until it had these statuses; it returns the id of the last event. The generated call
// reads a stream to its end, so the stream is read here and its data parsed by the generated models.
func (p *platform) follow(appID string, after string, statuses ...string) string {
	request, err := http.NewRequestWithContext(p.ctx, "GET", p.url+"/api/apps/"+appID+"/events", nil)
	check(nil, err)
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Last-Event-ID", after)
	answer, err := http.DefaultClient.Do(request)
	check(answer, err)
	defer answer.Body.Close()
	fields := map[string]string{}
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		check(nil, err)
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		if line != "\n" {
			fields[name] = value
			continue
		}
		if id := fields["id"]; id != "" {
			after = id
		}
		status := ""
		if fields["event"] == "removed" {
			status = "removed"
		} else if fields["event"] == "status" {
			var data proximity.AppStatus
			check(nil, json.Unmarshal([]byte(fields["data"]), &data))
			status = data.Status
		}
		fields = map[string]string{}
		if status == "error" {
			break
		}
		if status == statuses[0] {
			statuses = statuses[1:]
		}
		if len(statuses) == 0 {
			return after
		}
	}
	fmt.Fprintln(os.Stderr, "the events of", appID, "ended before", statuses)
	os.Exit(1)
	return ""
}

func main() {
	url := os.Getenv("PROXIMITY_URL")
	configuration := proximity.NewConfiguration()
	configuration.Servers = proximity.ServerConfigurations{{URL: url}}
	p := &platform{client: proximity.NewAPIClient(configuration), ctx: context.Background(), url: url}

	credentials := proximity.NewLoginRequest(os.Getenv("PROXIMITY_USERNAME"), os.Getenv("PROXIMITY_PASSWORD"))
	session, answer, err := p.client.AuthAPI.Login(p.ctx).LoginRequest(*credentials).Execute()
	check(answer, err)
	p.token = session.Access
	p.ctx = context.WithValue(p.ctx, proximity.ContextAccessToken, session.Access)
	fmt.Println("signed in")

	wanted := proximity.NewDeployAppRequest("adminer", os.Getenv("PROXIMITY_HOSTNAME"))
	config := proximity.NewAppConfigInput()
	config.SetMemory(128)
	wanted.SetConfig(*config)
	app, answer, err := p.client.AppsAPI.DeployApp(p.ctx).DeployAppRequest(*wanted).Execute()
	check(answer, err)
	fmt.Println("deployed")
	last := p.follow(app.Id, "0", "deploying", "running")
	fmt.Println("running")

	backup, answer, err := p.client.BackupsAPI.CreateBackup(p.ctx, app.Id).CreateBackupRequest(*proximity.NewCreateBackupRequest()).Execute()
	check(answer, err)
	last = p.follow(app.Id, last, "backing_up", "running")
	status := "creating"
	for attempt := 0; status == "creating" && attempt < attempts; attempt++ { // the app is free a moment before
		time.Sleep(delay)
		read, answer, err := p.client.BackupsAPI.GetBackup(p.ctx, app.Id, backup.Id).Execute()
		check(answer, err)
		status = read.Status
	}
	fmt.Println("backup", status)

	_, answer, err = p.client.BackupsAPI.RestoreBackup(p.ctx, app.Id, backup.Id).RestoreBackupRequest(*proximity.NewRestoreBackupRequest()).Execute()
	check(answer, err)
	last = p.follow(app.Id, last, "restoring", "running")
	fmt.Println("restored")

	_, answer, err = p.client.AppsAPI.DeleteApp(p.ctx, app.Id).Execute()
	check(answer, err)
	p.follow(app.Id, last, "removing", "removed")
	fmt.Println("deleted")
}
