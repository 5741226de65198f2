/** The same examples every time: a test that fails today failed yesterday. */

import { configureGlobal } from "fast-check";

configureGlobal({ seed: 7 });
