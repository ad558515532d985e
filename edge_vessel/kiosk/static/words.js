// Everything that the page says. Another language is another file of this form.
export const WORDS = {
  lang: "en",
  title: "Retinal identity",
  skip: "To the main part",
  demonstration: "Demonstration with photographs: forged eyes are not looked for",
  unreachable: "The service does not answer. Trying again …",
  nav: {
    label: "What to do",
    verify: "Verify",
    identify: "Identify",
    enrol: "Enrol",
    subjects: "Subjects",
    leave: "Sign out",
  },
  token: {
    title: "Sign in this terminal",
    text: "Enter the token that the operator has made for it. It is kept until this tab is closed.",
    label: "Token",
    submit: "Sign in",
    refused: "This token is not known. Ask the operator for another.",
  },
  ask: {
    subject: "Subject id",
    form: "1 to 64 of a–z 0–9 . _ -, beginning with a letter or digit",
    captures: "Captures",
    keys: "On-screen keys",
    erase: "Erase",
  },
  operations: {
    verify: {
      title: "Who are you?",
      text: "Enter your subject id, then look into the camera.",
      start: "Verify",
    },
    identify: {
      title: "Look into the camera",
      text: "You will be looked for among all who are enrolled.",
      start: "Identify",
    },
    enrol: {
      title: "Enrol a subject",
      text: "The same eye is captured several times.",
      start: "Enrol",
    },
  },
  capture: {
    verify: (subject) => `Verifying ${subject}`,
    identify: () => "Identifying",
    enrol: (subject) => `Enrolling ${subject}`,
    picture: "Live picture of the eye",
    waiting: "Waiting for the camera …",
    good: "Hold still",
    taken: (number, of) => `Capture ${number} of ${of} taken`,
    progress: (number, of) => `${number} of ${of} captures`,
    remove: "Lean back, then look into the camera again",
    focus: "Focus",
    cancel: "Cancel",
    cameraLost: "The camera does not answer. Waiting for it …",
  },
  hints: {
    no_eye: "Look into the camera",
    too_dark: "Turn the light up",
    too_bright: "Turn the light down",
    glare: "Tilt your head a little",
    too_far: "Come closer",
    off_centre: "Move to the middle of the circle",
    moving: "Hold still",
    out_of_focus: "Move slowly until the picture is sharp",
    retry: "Blink, then look again",
  },
  // What an operator is told, and a terminal is not.
  suspicions: {
    frozen: "Suspected: the camera gives one picture over and over",
    looped: "Suspected: a recording is played again and again",
    motionless: "Suspected: this eye does not move",
    still_picture: "Suspected: a picture is moved before the camera",
    no_pulse: "Suspected: the vessels do not beat",
  },
  outcomes: {
    match: {
      title: "Match",
      text: (subject) => `This is ${subject}.`,
    },
    no_match: {
      title: "No match",
      text: () => "This eye was not recognised.",
    },
    enrolled: {
      title: "Enrolled",
      text: (subject) => `${subject} can be verified now.`,
    },
    retry: {
      title: "Try again",
      text: () => "The captures were not good enough.",
    },
    locked: {
      title: "Locked",
      text: () => "Too many attempts have failed.",
    },
    camera_lost: {
      title: "Camera lost",
      text: () => "Check its cable and its power, then try again.",
    },
    timeout: {
      title: "Out of time",
      text: () => "No good capture came about in time.",
    },
    cancelled: {
      title: "Cancelled",
      text: () => "Nothing was compared or kept.",
    },
    error: {
      title: "It went wrong",
      text: () => "The operator finds the reason in the service’s log.",
    },
    known: {
      title: "Enrolled already",
      text: (subject) => `Delete ${subject} first, then enrol anew.`,
    },
    busy: {
      title: "Busy",
      text: () => "Others wait for the camera.",
    },
    unreachable: {
      title: "No answer",
      text: () => "The service cannot be reached.",
    },
    forbidden: {
      title: "Not allowed",
      text: () => "This terminal’s token is not an operator’s.",
    },
  },
  result: {
    again: "Try again",
    done: "Done",
    wait: (clock) => `Next attempt in ${clock}`,
    over: "You can try again now.",
  },
  subjects: {
    title: "Enrolled subjects",
    none: "Nobody is enrolled.",
    remove: "Delete",
    removeNamed: (subject) => `Delete ${subject}`,
    enrolledAt: (when) => `enrolled ${when}`,
    removed: (subject) => `${subject} was deleted.`,
    confirm: (subject) => `Delete ${subject}?`,
    confirmText: "The template is erased for good; only a new enrolment brings it back.",
    keep: "Keep",
  },
};
