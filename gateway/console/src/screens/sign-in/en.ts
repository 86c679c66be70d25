export const words = {
  signIn: "Sign in",
  create: "Create account",
  username: "User name",
  email: "E-mail",
  password: "Password",
  have: "You have an account?",
  none: "No account yet?",
  continue: "Sign in to continue where you were.",
  noAdmin: "There is no administrator yet. This command on the server prints a link that creates one:",
  command: "python -m services.auth create-admin",
  forgot: "Forgotten password? An administrator makes a link for a new one.",
} as const;
