/** The client of this page. */

import { SynclineClient } from "@syncline/client";
import { settingsOf } from "./logic/settings";

export const settings = settingsOf(location.search);

export const client = new SynclineClient({
  database: settings.database,
  ...(settings.server === undefined ? {} : { url: settings.server }),
});
