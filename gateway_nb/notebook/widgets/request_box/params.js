// Params as they are typed, in JSON or YAML. What they mean is for the kernel to say.

const isJson = (text) => !text.trim() || text.trim().startsWith("{");

/** Return params with one more at the end, as text: read and written anew, large numbers would lose their digits. */
export function withParam(text, name, value) {
  if (!isJson(text)) {
    if (text.split("\n").some((line) => line.startsWith(`${name}:`))) return text;
    return `${text.trimEnd()}\n${name}: ${JSON.stringify(value)}`;
  }
  const whole = text.trim() || "{}";
  if (!whole.endsWith("}") || name in parsed(whole)) return text;
  const start = whole.slice(0, -1).trimEnd();
  return `${start}${start === "{" ? "" : ", "}${JSON.stringify(name)}: ${JSON.stringify(value)}}`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Return the cell that makes the same call. */
export function cellOf(method, params, final, connection) {
  const options = (final ? " --final" : "") + (connection === "default" ? "" : ` -c ${JSON.stringify(connection)}`);
  // In a cell a dollar begins a variable's name, and two are a dollar.
  const body = params.replaceAll("$", "$$$$");
  return body.trim() ? `%%gateway ${method}${options}\n${body}` : `%gateway call ${method}${options}`;
}
