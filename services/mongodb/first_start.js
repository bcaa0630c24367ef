// Makes the replica set and its administrator, once; finds its work done afterwards. Run by mongosh
// beside the server: MongoDB lets a connection from localhost do this while there is no user.
// The pipeline's user and the ledger's shape are made by `python -m libs.ledger.admin`.
const { MONGODB_ADMIN_USERNAME, MONGODB_ADMIN_PASSWORD, MONGODB_ADMIN_MEMBERS } = process.env;
const PATIENCE_MS = 120 * 1000;
const ALREADY_INITIALIZED = 23;
const AUTHENTICATION_FAILED = 18;
const until = Date.now() + PATIENCE_MS;

function patiently(what, attempt) {
  for (;;) {
    let reason = "no answer";
    try {
      const result = attempt();
      if (result) return result;
    } catch (error) {
      reason = error.message;
    }
    if (Date.now() > until) throw new Error(`${what}: ${reason}`);
    sleep(500);
  }
}

function isAdministratorThere(admin) {
  try {
    admin.auth(MONGODB_ADMIN_USERNAME, MONGODB_ADMIN_PASSWORD);
    return true;
  } catch (error) {
    if (error.code === AUTHENTICATION_FAILED) return false;
    throw error;
  }
}

function initiate(admin) {
  const members = MONGODB_ADMIN_MEMBERS.split(",").map((host, _id) => ({ _id, host }));
  try {
    admin.runCommand({ replSetInitiate: { _id: "ledger", members } });
  } catch (error) {
    if (error.code !== ALREADY_INITIALIZED) throw error;
  }
  return true;
}

const admin = patiently("mongod does not answer", () =>
  connect("mongodb://127.0.0.1:27017/admin?directConnection=true"),
);
if (!isAdministratorThere(admin)) {
  // The other members may still be starting.
  patiently("the replica set cannot be made", () => initiate(admin));
  patiently("no primary was elected", () => admin.hello().isWritablePrimary);
  admin.createUser({
    user: MONGODB_ADMIN_USERNAME,
    pwd: MONGODB_ADMIN_PASSWORD,
    roles: ["root"],
  });
}
