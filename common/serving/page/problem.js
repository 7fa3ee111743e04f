// A sentence for the person in front of the page: what went wrong, and where
// it helps, what to do.

export class Problem extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

const BEGINNINGS = {
  401: "The token is not the server's",
  404: "This model does not answer now",
  413: "This is too large",
  429: "The server is busy",
  500: "The server failed",
  503: "The server is busy",
  504: "The model took too long",
};

export function describeStatus(status, reason) {
  const beginning = BEGINNINGS[status] ?? "The model refused this";
  return asSentence(reason ? `${beginning}: ${reason}` : `${beginning}.`);
}

export const asSentence = (text) =>
  /[.!?…]\s*$/.test(text) ? text : `${text}.`;
