import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.AppsApi;
import org.openapitools.client.api.AuthApi;
import org.openapitools.client.api.BackupsApi;
import org.openapitools.client.model.AppConfigInput;
import org.openapitools.client.model.AppStatus;
import org.openapitools.client.model.CreateBackupRequest;
import org.openapitools.client.model.DeployAppRequest;
import org.openapitools.client.model.LoginRequest;
import org.openapitools.client.model.RestoreBackupRequest;

/** The client that openapi-generator makes in Java, on the walk of the stock clients. */
public final class Walk {
    private static final long DELAY_MS = 100;
    private static final int ATTEMPTS = 600; // a minute

    private final String url = System.getenv("PROXIMITY_URL");
    private final HttpClient http = HttpClient.newHttpClient();
    private final ObjectMapper mapper;
    private String token = "";

    private Walk(ObjectMapper mapper) {
        this.mapper = mapper;
    }

    public static void main(String[] arguments) throws Exception {
        new Walk(new ApiClient().getObjectMapper()).take();
    }

    private void take() throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(url);
        client.setRequestInterceptor(request -> {
            if (!token.isEmpty()) request.header("Authorization", "Bearer " + token);
        });
        AppsApi apps = new AppsApi(client);
        BackupsApi backups = new BackupsApi(client);

        LoginRequest credentials = new LoginRequest().username(System.getenv("PROXIMITY_USERNAME"))
            .password(System.getenv("PROXIMITY_PASSWORD"));
        token = new AuthApi(client).login(credentials).getAccess();
        System.out.println("signed in");

        DeployAppRequest wanted = new DeployAppRequest().catalogId("adminer")
            .hostname(System.getenv("PROXIMITY_HOSTNAME")).config(new AppConfigInput().memory(128));
        String app = apps.deployApp(wanted, null).getId();
        System.out.println("deployed");
        String last = follow(app, "0", List.of("deploying", "running"));
        System.out.println("running");

        Integer backup = backups.createBackup(app, null, new CreateBackupRequest()).getId();
        last = follow(app, last, List.of("backing_up", "running"));
        String status = "creating";
        for (int attempt = 0; status.equals("creating") && attempt < ATTEMPTS; attempt++) {
            Thread.sleep(DELAY_MS); // the app is free a moment before its backup is complete
            status = backups.getBackup(app, backup).getStatus();
        }
        System.out.println("backup " + status);

        backups.restoreBackup(app, backup, null, new RestoreBackupRequest());
        last = follow(app, last, List.of("restoring", "running"));
        System.out.println("restored");

        apps.deleteApp(app, null, null);
        follow(app, last, List.of("removing", "removed"));
        System.out.println("deleted");
    }

    /** Read events until the app had these statuses; the generated call reads a stream to its end. */
    private String follow(String app, String after, List<String> statuses) throws Exception {
        Deque<String> wanted = new ArrayDeque<>(statuses);
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/api/apps/" + app + "/events"))
            .header("Authorization", "Bearer " + token).header("Last-Event-ID", after).build();
        String last = after;
        try (InputStream body = http.send(request, BodyHandlers.ofInputStream()).body();
            Scanner lines = new Scanner(body, "UTF-8")) {
            Map<String, String> fields = new HashMap<>();
            while (!wanted.isEmpty()) {
                String line = lines.nextLine();
                if (!line.isEmpty()) {
                    String[] parts = line.split(": ", 2);
                    fields.put(parts[0], parts.length > 1 ? parts[1] : "");
                    continue;
                }
                last = fields.getOrDefault("id", last);
                String status = fields.getOrDefault("event", "");
                if (status.equals("status")) {
                    status = mapper.readValue(fields.get("data"), AppStatus.class).getStatus();
                }
                if (status.equals("error")) throw new IllegalStateException(fields.toString());
                if (status.equals(wanted.peek())) wanted.remove();
                fields.clear();
            }
        }
        return last;
    }
}
